from django.urls import include, path

from evaluation import views

pages = [
    path("", views.report_list, name="list"),
    path("<uuid:report_id>/", views.report, name="report"),
    path("<uuid:report_id>/report.json", views.report_file, name="report_file"),
    path("<uuid:report_id>/answers.csv", views.answers_file, name="answers_file"),
]
urlpatterns = [path("p/<slug:slug>/evaluate/", include((pages, "evaluation")))]
