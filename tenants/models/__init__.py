from .base import Reach, Row, Viewer, Walled, within
from .check import TenantCheck
from .customer import Customer
from .finding import Finding
from .method import NEVER_A_WAY_IN, Method
from .reseller import Reseller
from .run import Lease, Run, Step, Target
from .secret import Secret, SecretVersion
from .shared_account import SharedAccount
from .tenant import Tenant, TenantGroup

__all__ = [
    "NEVER_A_WAY_IN",
    "Customer",
    "Finding",
    "Lease",
    "Method",
    "Reach",
    "Reseller",
    "Row",
    "Run",
    "Secret",
    "SecretVersion",
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
