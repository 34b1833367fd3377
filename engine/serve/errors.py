"""What can go wrong, said as OpenAI says it, with where and how to mend it beside."""

from typing import Any

TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}


class ApiError(Exception):
    """Becomes an HTTP answer. ``code`` is stable; ``message`` says what, ``where`` which field, ``mend`` what to do."""

    def __init__(self, status: int, code: str, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.where, self.mend = status, code, message, where, mend

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": TYPES.get(self.status, "server_error"),
                "param": self.where or None,
                "code": self.code,
                "mend": self.mend,
            }
        }


def crashed(error: Exception) -> ApiError:
    """For what nobody foresaw. The traceback goes to the server's log, not to the caller."""
    return ApiError(
        500,
        "crash",
        f"The model stopped with {type(error).__name__}.",
        mend="Look at the server's log, then try again.",
    )
