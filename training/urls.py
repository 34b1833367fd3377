from django.urls import include, path

from training import views

pages = [
    path("start/", views.start, name="start"),
    path("start/check/", views.preflight, name="check"),
    path("compare/", views.compare, name="compare"),
]
urlpatterns = [path("p/<slug:slug>/training/", include((pages, "training")))]
