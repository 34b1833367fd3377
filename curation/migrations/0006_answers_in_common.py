from typing import Any

from django.db import migrations, models

from curation.sources import answer_hash

BATCH = 1_000


def fill(apps: Any, schema_editor: Any) -> None:
    pairs = apps.get_model("curation", "Pair").objects.using(schema_editor.connection.alias)
    some = []
    for pair in pairs.filter(answer_hash=None).only("pk", "answer").iterator(BATCH):
        pair.answer_hash = answer_hash(pair.answer)
        some.append(pair)
        if len(some) == BATCH:
            pairs.bulk_update(some, ["answer_hash"])
            some = []
    pairs.bulk_update(some, ["answer_hash"])


class Migration(migrations.Migration):
    dependencies = [("curation", "0005_number_of_pairs_in_the_search_index")]

    operations = [
        migrations.AddField(
            "pair",
            "answer_hash",
            models.BigIntegerField(editable=False, help_text="Of the answer as it stands, to find those it has in common.", null=True),
        ),
        migrations.AddIndex("pair", models.Index(fields=["project", "answer_hash", "status"], name="pair_answers")),
        migrations.RunPython(fill, migrations.RunPython.noop),  # last: PostgreSQL makes no index in a table it has rows to check of
    ]
