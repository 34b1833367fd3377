from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CurationConfig(AppConfig):
    name = "curation"
    verbose_name = "Pairs and dataset versions"

    def ready(self) -> None:
        from curation import tabs, taking_in  # noqa: F401 (register)
        from curation.search_index import after_migrate

        post_migrate.connect(after_migrate, sender=self, dispatch_uid="curation.search_index")
