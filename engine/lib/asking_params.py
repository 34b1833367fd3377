"""The parameters of every stage that asks a model: how, and within which budget."""

from pydantic import Field, JsonValue

from engine.lib.asking import Asker, Budget, chat_endpoint
from engine.registry import StageParams

ADVANCED: dict[str, JsonValue] = {"advanced": True}
INTERNAL: dict[str, JsonValue] = {"internal": True}


class CallParams(StageParams):
    max_calls: int = Field(1000, ge=1, le=1_000_000, title="Most calls", description="To the model, those tried again included.")
    max_tokens: int = Field(2_000_000, ge=0, title="Most tokens", description="Read and written together. 0: no limit.")
    max_cost: float = Field(0, ge=0, title="Most money", description="By the prices of the endpoint, in their currency. 0: no limit.")
    answer_tokens: int = Field(600, ge=50, le=8000, title="Longest reply", description="In tokens.", json_schema_extra=ADVANCED)
    temperature: float = Field(
        0.7, ge=0, le=2, title="Temperature", description="Higher is more varied and less exact.", json_schema_extra=ADVANCED
    )
    parallel: int = Field(
        2, ge=1, le=32, title="Calls at once", description="The embedded server takes one after the other.", json_schema_extra=ADVANCED
    )
    seconds: float = Field(120, gt=0, le=3600, title="Longest wait for a reply", description="In seconds.", json_schema_extra=ADVANCED)
    tries: int = Field(
        4, ge=1, le=10, title="Tries", description="Of one call, when the server is busy or fails.", json_schema_extra=ADVANCED
    )
    wait: float = Field(
        1,
        ge=0,
        le=60,
        title="Wait before the second try",
        description="In seconds; doubled for each further one.",
        json_schema_extra=ADVANCED,
    )
    price_in: float = Field(0, ge=0, title="Price of reading", description="Of a million tokens.", json_schema_extra=INTERNAL)
    price_out: float = Field(0, ge=0, title="Price of writing", description="Of a million tokens.", json_schema_extra=INTERNAL)
    endpoint: str = Field("", title="Endpoint", description="Which model is asked, as the studio knows it.", json_schema_extra=INTERNAL)
    writer: str = Field(
        "", max_length=120, title="Model", description="What the model is called in each pair's origin.", json_schema_extra=INTERNAL
    )

    def asker(self) -> Asker:
        """Who asks, by these parameters. Raises ``InputError`` where the caller named no model."""
        budget = Budget(self.max_calls, self.max_tokens, self.max_cost, self.price_in, self.price_out)
        options = {"max_tokens": self.answer_tokens, "temperature": self.temperature}
        return Asker(chat_endpoint(), budget, options, self.seconds, self.tries, self.wait)


class AskingParams(CallParams):
    """Of a stage whose answers have to stand in a source."""

    minimum_support: float = Field(
        0.6,
        ge=0,
        le=1,
        title="Least support",
        description="How far the source has to say what the answer says, 0 to 1.",
        json_schema_extra=ADVANCED,
    )
