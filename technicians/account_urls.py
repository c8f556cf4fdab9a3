"""Shared accounts with the people who hold them. `msp.urls` puts these into the namespace of the tenants."""

from django.urls import path

from technicians.views import accounts, by_hand, check_out, codes, comparisons, export, hand_over, password_care

urlpatterns = [
    path("accounts/<uuid:account_id>/", accounts.account, name="account"),
    path("accounts/<uuid:account_id>/reveal/", accounts.reveal, name="reveal"),
    path("accounts/<uuid:account_id>/copy/", accounts.copy, name="copy"),
    path("accounts/<uuid:account_id>/check-out/", check_out.check_out, name="check_out"),
    path("accounts/<uuid:account_id>/check-in/", check_out.check_in, name="check_in"),
    path("accounts/<uuid:account_id>/take-back/", check_out.take_back, name="take_back"),
    path("accounts/<uuid:account_id>/observe/", accounts.observe, name="observe_account"),
    path("accounts/<uuid:account_id>/hand-over/", hand_over.hand_over, name="hand_over"),
    path("accounts/<uuid:account_id>/password/change/", password_care.rotate, name="rotate_password"),
    path("accounts/<uuid:account_id>/password/enter/", password_care.enter, name="enter_password"),
    path("accounts/<uuid:account_id>/password/settle/", password_care.settle, name="settle_password"),
    path("accounts/<uuid:account_id>/password/find-out/", password_care.find_out, name="find_out_password"),
    path("accounts/<uuid:account_id>/my-code/", codes.my_code, name="my_code"),
    path("accounts/<uuid:account_id>/my-seed/", codes.my_seed, name="my_seed"),
    path("accounts/<uuid:account_id>/second-devices/", codes.declare, name="declare_duplicate"),
    path("accounts/<uuid:account_id>/compare-codes/", comparisons.ask, name="compare_codes"),
    path("by-hand/", by_hand.tasks, name="hand_tasks"),
    path("by-hand/<uuid:hand_step_id>/", by_hand.step, name="hand_step"),
    path("by-hand/<uuid:hand_step_id>/password/", by_hand.password, name="hand_password"),
    path("places/accounts/<uuid:place_account_id>/authenticator/", by_hand.authenticator, name="place_authenticator"),
    path("passwords/export/", export.export, name="export_passwords"),
]
