from .assignment import Assignment
from .authenticator import Authenticator
from .check_out import CheckOut
from .enrolment import Enrolment
from .hand_over_link import HandOverLink
from .import_upload import ImportUpload
from .offboarding import Offboarding
from .password_notice import PasswordNotice
from .reveal import Reveal
from .technician import RIGHTS, Role, Technician

__all__ = [
    "RIGHTS",
    "Assignment",
    "Authenticator",
    "CheckOut",
    "Enrolment",
    "HandOverLink",
    "ImportUpload",
    "Offboarding",
    "PasswordNotice",
    "Reveal",
    "Role",
    "Technician",
]
