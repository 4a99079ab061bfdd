"""What can be wrong with a template, and where."""

from worker.errors import ConfigError


class TemplateError(ConfigError):
    """What is wrong with a template: ``what``, in ``file`` below the templates, at ``line``."""

    def __init__(self, file: str, line: int | None, what: str, hint: str = "") -> None:
        where = f"{file}, line {line}" if line else file
        super().__init__(f"{where}: {what}", hint)
        self.file, self.line, self.what = file, line, what
