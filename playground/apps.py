from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "playground"
    verbose_name = "Chat and deployment"

    def ready(self) -> None:
        from playground import tabs  # noqa: F401 (registers)
