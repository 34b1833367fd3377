from django.urls import include, path

from runs import views

pages = [
    path("", views.run_list, name="list"),
    path("<uuid:run_id>/", views.run_detail, name="detail"),
    path("<uuid:run_id>/log/", views.run_log, name="log"),
    path("<uuid:run_id>/events/", views.run_events_file, name="events"),
    path("<uuid:run_id>/metrics.csv", views.run_metrics_file, name="metrics"),
    path("<uuid:run_id>/queue/", views.run_queue, name="queue"),
    path("<uuid:run_id>/priority/", views.run_priority, name="priority"),
    path("<uuid:run_id>/stop/", views.run_stop, name="stop"),
    path("<uuid:run_id>/cancel/", views.run_cancel, name="cancel"),
    path("<uuid:run_id>/resume/", views.run_resume, name="resume"),
    path("<uuid:run_id>/rerun/", views.run_rerun, name="rerun"),
]
urlpatterns = [path("running/", views.running, name="running"), path("p/<slug:slug>/runs/", include((pages, "runs")))]
