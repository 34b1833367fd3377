from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "projects"
    verbose_name = "Projects and people"

    def ready(self) -> None:
        from projects import tabs  # noqa: F401 (registers)
