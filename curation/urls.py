"""Pairs and dataset versions, under their project."""

from django.urls import include, path

from curation import views

pages = [
    path("pairs/", views.pair_list, name="pairs"),
    path("pairs/new/", views.pair_new, name="pair_new"),
    path("pairs/bulk/", views.pairs_bulk, name="pairs_bulk"),
    path("pairs/export/", views.pairs_export, name="pairs_export"),
    path("pairs/review/", views.pairs_review, name="pairs_review"),
    path("pairs/generate/", views.pairs_generate, name="pairs_generate"),
    path("pairs/<uuid:pk>/", views.pair_detail, name="pair"),
    path("pairs/<uuid:pk>/edit/", views.pair_edit, name="pair_edit"),
    path("pairs/<uuid:pk>/decide/", views.pair_decide, name="pair_decide"),
    path("pairs/<uuid:pk>/undo/", views.pair_undo, name="pair_undo"),
    path("datasets/", views.dataset_list, name="datasets"),
    path("datasets/cut/", views.dataset_cut, name="dataset_cut"),
    path("datasets/<int:number>/", views.dataset_detail, name="dataset"),
    path("datasets/<int:number>/<slug:split>.jsonl", views.dataset_download, name="dataset_download"),
]
urlpatterns = [path("p/<slug:slug>/", include((pages, "curation")))]
