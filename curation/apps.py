from django.apps import AppConfig


class CurationConfig(AppConfig):
    name = "curation"
    verbose_name = "Pairs and dataset versions"

    def ready(self) -> None:
        from curation import tabs, taking_in  # noqa: F401 (register)
