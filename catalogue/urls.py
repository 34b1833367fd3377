from django.urls import include, path

from catalogue import views

pages = [
    path("", views.models, name="models"),
    path("<uuid:artifact_id>/", views.model, name="model"),
    path("<uuid:artifact_id>/card.md", views.card_file, name="card_file"),
    path("<uuid:artifact_id>/download/", views.download, name="download"),
]
urlpatterns = [
    path("p/<slug:slug>/models/", include((pages, "catalogue"))),
    path("compute/", views.compute, name="compute"),
    path("compute/workers/", views.compute_workers, name="compute_workers"),
    path("compute/models/add/", views.local_model_add, name="local_model_add"),
    path("compute/models/<str:key>/import/", views.base_model_import, name="base_model_import"),
    path("compute/models/<str:key>/download/", views.base_model_download, name="base_model_download"),
]
