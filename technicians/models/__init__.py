from .assignment import Assignment
from .authenticator import Authenticator
from .bulk_enrolment import BulkCode, BulkEnrolment
from .check_out import CheckOut
from .duplicates import DeclaredDuplicate, TwoPersonCheck
from .enrolment import Enrolment
from .enrolment_request import EnrolmentLink, EnrolmentRequest
from .hand_over_link import HandOverLink
from .import_upload import ImportUpload
from .kept_code import KeptCode
from .offboarding import Offboarding
from .password_notice import PasswordNotice
from .reveal import Reveal
from .suspension import LostDevice, Suspension
from .take_over import TakeOver, TakeOverAccount, TakeOverTask
from .technician import RIGHTS, Role, Technician

__all__ = [
    "RIGHTS",
    "Assignment",
    "Authenticator",
    "BulkCode",
    "BulkEnrolment",
    "CheckOut",
    "DeclaredDuplicate",
    "Enrolment",
    "EnrolmentLink",
    "EnrolmentRequest",
    "HandOverLink",
    "ImportUpload",
    "KeptCode",
    "LostDevice",
    "Offboarding",
    "PasswordNotice",
    "Reveal",
    "Role",
    "Suspension",
    "TakeOver",
    "TakeOverAccount",
    "TakeOverTask",
    "Technician",
    "TwoPersonCheck",
]
