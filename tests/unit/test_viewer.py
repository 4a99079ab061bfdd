"""A viewer sees his own books, and may do in each what his role there allows."""

import pytest

from worker.core.viewer import Role, Viewer

AMY = Viewer("amy", {7: Role.OPERATOR, 3: Role.VIEWER})


def test_books_are_those_with_a_role() -> None:
    assert AMY.books == (3, 7)


@pytest.mark.parametrize(
    ("role", "book", "allowed"),
    [
        (Role.VIEWER, 3, True),
        (Role.OPERATOR, 3, False),
        (Role.VIEWER, 7, True),
        (Role.OPERATOR, 7, True),
        (Role.ADMIN, 7, False),
        (Role.VIEWER, 4, False),
    ],
)
def test_a_role_may_what_stands_before_it(role: Role, book: int, allowed: bool) -> None:
    assert AMY.may(role, book) is allowed


def test_one_book_alone() -> None:
    assert AMY.only(3).books == (3,)
    assert AMY.only(4).books == ()
