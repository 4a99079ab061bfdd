"""Vonage's codes: the ``status`` of an answer to a call, the ``err-code`` of a delivery receipt.

Sources: developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms and
developer.vonage.com/en/api-errors/sms; of receipts
developer.vonage.com/en/messaging/sms/guides/delivery-receipts. What stands in former editions of
these pages only may come all the same. The words are what each row of them comes to. A row is a
code, its class, and why.
"""

from collections.abc import Sequence

from worker.core.outcomes import (
    AMBIGUOUS,
    BAD,
    DEAD,
    FILTERED,
    LATER,
    LOST,
    OFF,
    OPTED_OUT,
    TRANSIENT,
    Row,
    Scope,
    held,
)

ACCOUNT, ROUTE = held(Scope.ACCOUNT), held(Scope.ROUTE)
RECIPIENT, MESSAGE = held(Scope.RECIPIENT), held(Scope.MESSAGE)

Table = Sequence[tuple[int, Row, str]]

CALLS: Table = (
    (1, TRANSIENT, "faster than the account's limit"),
    (2, MESSAGE, "a parameter is missing"),
    (3, MESSAGE, "a parameter is not valid"),
    (4, ACCOUNT, "wrong credentials, or disabled ones"),
    # It may have been sent by then.
    (5, AMBIGUOUS, "an error in the platform while it was processed"),
    (6, RECIPIENT, "the platform cannot process it: a prefix it does not know, a fixed line"),
    (7, DEAD, "the number is on the list of barred ones"),
    (8, ACCOUNT, "the account is suspended"),
    (9, ACCOUNT, "not enough credit"),
    (10, TRANSIENT, "too many connections at a time: back off and retry"),
    (11, ACCOUNT, "the account is not enabled for the SMS API"),
    (12, BAD, "longer than allowed"),
    (13, TRANSIENT, "not submitted: a failure of communication (former list)"),
    (14, ACCOUNT, "the signature could not be verified"),
    (15, ROUTE, "a sender that is not authorized, most often in North America"),
    (16, MESSAGE, "the ttl is not valid (former list)"),
    (19, ACCOUNT, "the account lacks the facility (former list)"),
    (20, MESSAGE, "the message class is out of range (former list)"),
    (22, MESSAGE, "the network code is not one of the recipient's country"),
    (23, ACCOUNT, "our address for receipts is too long, or has characters that are not allowed"),
    (29, RECIPIENT, "an account in demo mode, and a number that is not on its list"),
    (32, ACCOUNT, "a signed request that shows a secret too"),
    (33, DEAD, "the number is de-activated"),
    (34, DEAD, "no number, or none that is valid (former list)"),
)

RECEIPTS: Table = (
    (1, LOST, "not delivered, and no cause could be determined"),
    (2, OFF, "the handset was unavailable for a time: retry"),
    (3, DEAD, "the number is no longer active: to be removed"),
    (4, DEAD, "barred by the user with the carrier: to be removed"),
    (5, LATER, "an issue of the number's portability"),
    (6, FILTERED, "blocked by a carrier's filter for spam"),
    (7, LATER, "the handset was busy: retry"),
    (8, TRANSIENT, "a network error: retry"),
    (9, OPTED_OUT, "the user has asked for no messages of this service"),
    (10, BAD, "an error in a parameter, such as a wrong encoding"),
    (11, ROUTE, "no suitable route to the recipient"),
    (12, OFF, "no route to the number can be found"),
    (13, DEAD, "not for the recipient's age"),
    # A plan without SMS, or one that is suspended: a top-up may end it.
    (14, OFF, "the recipient's carrier blocks SMS on its plan"),
    (15, LATER, "a prepaid recipient without the credit to receive it"),
    (16, TRANSIENT, "the quota of the gateway is exceeded"),
    (50, ROUTE, "no entity id, or a wrong one, where the country wants it registered"),
    (51, ROUTE, "no header id (the sender), or a wrong one, where the country wants it registered"),
    (52, MESSAGE, "no content id, or a wrong one, where the country wants it registered"),
    (53, RECIPIENT, "no consent is registered where the country wants it"),
    (54, ROUTE, "an unexpected error of the country's regulation"),
    (99, LOST, "a general error, most often of the route"),
)
