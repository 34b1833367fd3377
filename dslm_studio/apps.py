"""The last app to start: by now every app has registered what it offers, so the registries freeze."""

from django.apps import AppConfig


class StudioConfig(AppConfig):
    name = "dslm_studio"

    def ready(self) -> None:
        from projects import registries as project_registries
        from runs import registries as run_registries

        project_registries.freeze()
        run_registries.freeze()
