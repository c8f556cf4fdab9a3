from .alarm import Alarm
from .base import Reach, Row, Viewer, Walled, within
from .change_demand import ChangeDemand
from .check import TenantCheck
from .customer import Customer
from .customer_exit import CustomerExit
from .delivery import Delivery
from .departure_policy import DeparturePolicy
from .enrolment_policy import EnrolmentPolicy
from .finding import Finding
from .method import NEVER_A_WAY_IN, Method
from .password_policy import PasswordPolicy
from .registration import Registration
from .reseller import Reseller
from .run import Lease, Run, Step, Target
from .secret import Secret, SecretVersion
from .seed_fingerprint import SeedFingerprint
from .shared_account import AccountClass, SharedAccount
from .tenant import Tenant, TenantGroup

__all__ = [
    "NEVER_A_WAY_IN",
    "AccountClass",
    "Alarm",
    "ChangeDemand",
    "Customer",
    "CustomerExit",
    "Delivery",
    "DeparturePolicy",
    "EnrolmentPolicy",
    "Finding",
    "Lease",
    "Method",
    "PasswordPolicy",
    "Reach",
    "Registration",
    "Reseller",
    "Row",
    "Run",
    "Secret",
    "SecretVersion",
    "SeedFingerprint",
    "SharedAccount",
    "Step",
    "Target",
    "Tenant",
    "TenantCheck",
    "TenantGroup",
    "Viewer",
    "Walled",
    "within",
]
