"""Every page there is, by app."""

from django.urls import include, path

from dslm_studio import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("", include("projects.urls")),
    path("", include("runs.urls")),
    path("", include("catalogue.urls")),
    path("", include("retrieval.urls")),
    path("", include("curation.urls")),
    path("", include("training.urls")),
    path("", include("evaluation.urls")),
    path("", include("planning.urls")),
    path("", include("playground.urls")),
]
