from .assignment import Assignment
from .authenticator import Authenticator
from .enrolment import Enrolment
from .import_upload import ImportUpload
from .offboarding import Offboarding
from .reveal import Reveal
from .technician import RIGHTS, Role, Technician

__all__ = [
    "RIGHTS",
    "Assignment",
    "Authenticator",
    "Enrolment",
    "ImportUpload",
    "Offboarding",
    "Reveal",
    "Role",
    "Technician",
]
