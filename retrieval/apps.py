from django.apps import AppConfig


class RetrievalConfig(AppConfig):
    name = "retrieval"
    verbose_name = "Documents and search"

    def ready(self) -> None:
        from retrieval import tabs, taking_in  # noqa: F401 (register)
