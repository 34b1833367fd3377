"""Pairs and dataset versions, under their project."""

from django.urls import include, path

from curation.views import datasets, generating, pair, pairs

pages = [
    path("pairs/", pairs.pair_list, name="pairs"),
    path("pairs/new/", pair.pair_new, name="pair_new"),
    path("pairs/bulk/", pairs.pairs_bulk, name="pairs_bulk"),
    path("pairs/export/", pairs.pairs_export, name="pairs_export"),
    path("pairs/review/", pair.pairs_review, name="pairs_review"),
    path("pairs/generate/", generating.pairs_generate, name="pairs_generate"),
    path("pairs/<uuid:pk>/", pair.pair_detail, name="pair"),
    path("pairs/<uuid:pk>/edit/", pair.pair_edit, name="pair_edit"),
    path("pairs/<uuid:pk>/decide/", pair.pair_decide, name="pair_decide"),
    path("pairs/<uuid:pk>/undo/", pair.pair_undo, name="pair_undo"),
    path("datasets/", datasets.dataset_list, name="datasets"),
    path("datasets/cut/", datasets.dataset_cut, name="dataset_cut"),
    path("datasets/<int:number>/", datasets.dataset_detail, name="dataset"),
    path("datasets/<int:number>/<slug:split>.jsonl", datasets.dataset_download, name="dataset_download"),
]
urlpatterns = [path("p/<slug:slug>/", include((pages, "curation")))]
