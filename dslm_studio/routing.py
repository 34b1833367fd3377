"""Every WebSocket there is."""

from django.urls import path

from runs.consumers import RunConsumer

websocket_urlpatterns = [
    path("ws/p/<slug:slug>/runs/<uuid:run_id>/", RunConsumer.as_asgi()),
]
