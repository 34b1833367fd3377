from django.urls import include, path

from retrieval import views

pages = [
    path("documents/", views.document_list, name="documents"),
    path("documents/upload/", views.document_upload, name="upload"),
    path("documents/add/", views.text_add, name="add_text"),
    path("documents/read/", views.document_read, name="read"),
    path("documents/bulk/", views.document_bulk, name="bulk"),
    path("documents/export/", views.document_export, name="export"),
    path("documents/<uuid:document_id>/", views.document_detail, name="document"),
    path("documents/<uuid:document_id>/delete/", views.document_delete, name="delete"),
    path("documents/<uuid:document_id>/retry/", views.document_retry, name="retry"),
    path("documents/<uuid:document_id>/file/", views.document_file, name="file"),
    path("search/", views.search_page, name="search"),
    path("search/measure/", views.measure_start, name="measure"),
    path("search/measure/<uuid:measurement_id>/stop/", views.measure_stop, name="measure_stop"),
]
urlpatterns = [path("p/<slug:slug>/", include((pages, "retrieval")))]
