from .assignment import Assignment
from .authenticator import Authenticator
from .enrolment import Enrolment
from .offboarding import Offboarding
from .reveal import Reveal
from .technician import RIGHTS, Role, Technician

__all__ = ["RIGHTS", "Assignment", "Authenticator", "Enrolment", "Offboarding", "Reveal", "Role", "Technician"]
