from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Runs and artifacts"

    def ready(self) -> None:
        from runs import notifying, tabs  # noqa: F401 (register)
