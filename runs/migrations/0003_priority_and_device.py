from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0002_metric_rollups'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='priority',
            field=models.PositiveSmallIntegerField(choices=[(0, 'Low'), (1, 'Normal'), (2, 'High')], default=1),
        ),
        migrations.AddField(
            model_name='run',
            name='device',
            field=models.CharField(blank=True, help_text='The GPUs it has, by number or name, with commas; empty where there is none.', max_length=400),
        ),
    ]
