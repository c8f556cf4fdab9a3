"""A Microsoft cloud in a box: its own process and HTTPS server, for the demo, for tests and for rehearsals.

Nothing in the product knows it and it knows nothing of the product: they meet over HTTP only.
The facts it plays are those of Microsoft's published pages; what is not published is marked "Assumption".
"""
