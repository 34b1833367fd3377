from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    name = "catalogue"
    verbose_name = "Models"

    def ready(self) -> None:
        from catalogue import checks, tabs, writers  # noqa: F401 (they register)
