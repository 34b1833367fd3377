"""The plan, under its project."""

from django.urls import include, path

from planning import views

pages = [
    path("", views.plan, name="plan"),
    path("save/", views.plan_save, name="plan_save"),
]
urlpatterns = [path("p/<slug:slug>/plan/", include((pages, "planning")))]
