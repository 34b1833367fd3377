from django.urls import include, path

from training import launch_views, sweep_views, views

pages = [
    path("start/", launch_views.start, name="start"),
    path("start/method/", launch_views.method, name="method"),
    path("start/check/", launch_views.preflight, name="check"),
    path("start/batch/", launch_views.batch, name="batch"),
    path("compare/", views.compare, name="compare"),
    path("sweeps/<uuid:pk>/", sweep_views.sweep, name="sweep"),
    path("sweeps/<uuid:pk>/stop/", sweep_views.stop, name="sweep_stop"),
    path("sweeps/<uuid:pk>/go-on/", sweep_views.go_on, name="sweep_go_on"),
]
urlpatterns = [path("p/<slug:slug>/training/", include((pages, "training")))]
