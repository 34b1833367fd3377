"""Forms of filters and tags."""

from django import forms

from curation.services.filtering import NAME_LIMIT as FILTER_NAME
from curation.services.tagging import NAME_LIMIT as TAG_NAME


class FilterForm(forms.Form):
    """What a filter is kept under."""

    name = forms.CharField(label="Name", max_length=FILTER_NAME)
    shared = forms.BooleanField(label="For the whole team", required=False)


class TagForm(forms.Form):
    """A tag's name."""

    name = forms.CharField(label="New tag", max_length=TAG_NAME)
