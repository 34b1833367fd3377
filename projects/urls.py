"""Accounts at the top, projects under /p/."""

from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path, reverse_lazy

from projects import endpoint_views, notification_views, views
from projects.forms import SignInForm

pages = [
    path("", views.project_list, name="list"),
    path("new/", views.project_new, name="new"),
    path("join/<str:token>/", views.invitation, name="invitation"),
    path("p/<slug:slug>/", views.project_home, name="home"),
    path("p/<slug:slug>/team/", views.team, name="team"),
    path("p/<slug:slug>/team/invite/", views.invitation_create, name="invitation_create"),
    path("p/<slug:slug>/team/invitations/<int:pk>/withdraw/", views.invitation_revoke, name="invitation_revoke"),
    path("p/<slug:slug>/team/<int:pk>/role/", views.member_role, name="member_role"),
    path("p/<slug:slug>/team/<int:pk>/remove/", views.member_remove, name="member_remove"),
    path("p/<slug:slug>/settings/", views.project_settings, name="settings"),
    path("p/<slug:slug>/settings/delete/", views.project_delete, name="delete"),
    path("p/<slug:slug>/endpoints/", endpoint_views.endpoint_list, name="endpoints"),
    path("p/<slug:slug>/endpoints/<uuid:pk>/", endpoint_views.endpoint_edit, name="endpoint"),
    path("p/<slug:slug>/endpoints/<uuid:pk>/delete/", endpoint_views.endpoint_delete, name="endpoint_delete"),
    path("p/<slug:slug>/audit/", views.audit_log, name="audit"),
]

reset_done = reverse_lazy("password_reset_complete")
urlpatterns = [
    path("", include((pages, "projects"))),
    path("sign-in/", auth.LoginView.as_view(authentication_form=SignInForm, redirect_authenticated_user=True), name="login"),
    path("sign-in/<str:token>/", views.sign_in_link, name="sign_in_link"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("account/", views.profile, name="profile"),
    path("account/password/", views.password, name="password_change"),
    path("password/", login_not_required(auth.PasswordResetView.as_view()), name="password_reset"),
    path("password/sent/", login_not_required(auth.PasswordResetDoneView.as_view()), name="password_reset_done"),
    path(
        "password/<uidb64>/<token>/",
        login_not_required(auth.PasswordResetConfirmView.as_view(success_url=reset_done)),
        name="password_reset_confirm",
    ),
    path("password/done/", login_not_required(auth.PasswordResetCompleteView.as_view()), name="password_reset_complete"),
    path("notifications/", notification_views.notification_list, name="notifications"),
    path("notifications/bell/", notification_views.bell, name="notification_bell"),
    path("notifications/read/", notification_views.notifications_read, name="notifications_read"),
    path("notifications/<int:pk>/", notification_views.notification_open, name="notification_open"),
    path("people/", views.people, name="people"),
    path("people/<int:pk>/", views.person_update, name="person_update"),
]
