from django.urls import include, path

from tenants.views import check, enrolment_policies, mfa, policies, tenants

urlpatterns = [
    path("", tenants.tenant_list, name="list"),
    path("<uuid:tenant_id>/", tenants.tenant, name="detail"),
    path("<uuid:tenant_id>/observe/", tenants.observe, name="observe"),
    path("<uuid:tenant_id>/check/", check.check, name="check"),
    path("<uuid:tenant_id>/check/now/", check.check_now, name="check_now"),
    path("<uuid:tenant_id>/access/", check.access, name="access"),
    path("consent/", check.consent, name="consent"),
    path("policies/", policies.policies, name="policies"),
    path("policies/<uuid:policy_id>/", policies.policy, name="policy"),
    path("policies/<uuid:policy_id>/remove/", policies.remove, name="remove_policy"),
    path("policies/of-all/", policies.set_everywhere, name="set_policy_of_all"),
    path("policies/of-group/<uuid:group_id>/", policies.set_of_group, name="set_policy_of_group"),
    path("policies/of-tenant/<uuid:tenant_id>/", policies.set_of_tenant, name="set_policy_of_tenant"),
    path("policies/of-account/<uuid:account_id>/", policies.set_of_account, name="set_policy_of_account"),
    path("accounts/<uuid:account_id>/mfa/", mfa.mfa_state, name="mfa_state"),
    path("accounts/<uuid:account_id>/mfa/read/", mfa.read, name="read_mfa_state"),
    path("enrolment-policies/", enrolment_policies.policies, name="enrolment_policies"),
    path("enrolment-policies/<uuid:enrolment_policy_id>/", enrolment_policies.policy, name="enrolment_policy"),
    path(
        "enrolment-policies/<uuid:enrolment_policy_id>/remove/",
        enrolment_policies.remove,
        name="remove_enrolment_policy",
    ),
    path("enrolment-policies/of-all/", enrolment_policies.set_everywhere, name="set_enrolment_policy_of_all"),
    path(
        "enrolment-policies/of-group/<uuid:group_id>/",
        enrolment_policies.set_of_group,
        name="set_enrolment_policy_of_group",
    ),
    path(
        "enrolment-policies/of-tenant/<uuid:tenant_id>/",
        enrolment_policies.set_of_tenant,
        name="set_enrolment_policy_of_tenant",
    ),
    path(
        "enrolment-policies/of-account/<uuid:account_id>/",
        enrolment_policies.set_of_account,
        name="set_enrolment_policy_of_account",
    ),
    path("runs/", include("tenants.run_urls")),
]
