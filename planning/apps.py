from django.apps import AppConfig


class PlanningConfig(AppConfig):
    name = "planning"
    verbose_name = "Plan"

    def ready(self) -> None:
        from planning import checks, tabs  # noqa: F401 (register)
