from django.urls import include, path

from playground import rating_views, views

pages = [
    path("", views.chat, name="chat"),
    path("ask/", views.ask, name="ask"),
    path("<uuid:pk>/", views.conversation, name="conversation"),
    path("<uuid:pk>/ask/", views.ask, name="ask_again"),
    path("<uuid:pk>/delete/", views.conversation_delete, name="delete"),
    path("messages/<int:pk>/feedback/", rating_views.feedback, name="feedback"),
    path("rated/", rating_views.rated_list, name="rated"),
    path("rated/<int:pk>/", rating_views.rated_answer, name="rated_answer"),
    path("rated/<int:pk>/aside/", rating_views.rated_aside, name="rated_aside"),
]
urlpatterns = [path("p/<slug:slug>/chat/", include((pages, "playground")))]
