from .assignment import Assignment
from .authenticator import Authenticator
from .bulk_enrolment import BulkCode, BulkEnrolment
from .check_out import CheckOut
from .departure_request import Approval, DepartureRequest, DepartureRequestLeaver
from .duplicates import DeclaredDuplicate, TwoPersonCheck
from .enrolment import Enrolment
from .enrolment_request import EnrolmentLink, EnrolmentRequest
from .hand_over_link import HandOverLink
from .import_upload import ImportUpload
from .kept_code import KeptCode
from .offboarding import Offboarding
from .password_notice import PasswordNotice
from .rehearsal import Rehearsal
from .reveal import Reveal
from .suspension import LostDevice, Suspension
from .take_over import TakeOver, TakeOverAccount, TakeOverTask
from .technician import RIGHTS, Role, Technician

__all__ = [
    "RIGHTS",
    "Approval",
    "Assignment",
    "Authenticator",
    "BulkCode",
    "BulkEnrolment",
    "CheckOut",
    "DeclaredDuplicate",
    "DepartureRequest",
    "DepartureRequestLeaver",
    "Enrolment",
    "EnrolmentLink",
    "EnrolmentRequest",
    "HandOverLink",
    "ImportUpload",
    "KeptCode",
    "LostDevice",
    "Offboarding",
    "PasswordNotice",
    "Rehearsal",
    "Reveal",
    "Role",
    "Suspension",
    "TakeOver",
    "TakeOverAccount",
    "TakeOverTask",
    "Technician",
    "TwoPersonCheck",
]
