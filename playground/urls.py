from django.urls import include, path

from playground import views

pages = [
    path("", views.chat, name="chat"),
    path("ask/", views.ask, name="ask"),
    path("<uuid:pk>/", views.conversation, name="conversation"),
    path("<uuid:pk>/ask/", views.ask, name="ask_again"),
    path("<uuid:pk>/delete/", views.conversation_delete, name="delete"),
    path("messages/<int:pk>/feedback/", views.feedback, name="feedback"),
]
urlpatterns = [path("p/<slug:slug>/chat/", include((pages, "playground")))]
