"""The rows of cards from one number to another, each made of its number alone."""

# Of 20 holders one has three cards, the others one; the cards of one holder end together.
CARDS = """
CREATE FUNCTION scale_cards(first bigint, last bigint) RETURNS TABLE (
    n bigint, kind int, operator int, language int, h bigint, ahead int, book bigint
) LANGUAGE sql AS $$
SELECT n, (n % 4)::int, (n / 4 % 4)::int, (h % 4)::int, h,
    (((h * 2654435761) >> 7) % 365 - 10)::int,
    CASE WHEN ((h * 2654435761) >> 17) % 1000 < 600 THEN 1 ELSE 2 + h % 1000 END
FROM (SELECT n, (n - 1) / 22 * 20 + least((n - 1) % 22, 19) + 1 AS h
    FROM generate_series(first, last) AS n) AS numbered
$$
"""

STATEMENTS = (
    """
    INSERT INTO holders (id, book_id, name, language, time_zone, contact_phone, email, created_at,
        updated_at)
    SELECT DISTINCT ON (h) h, book, 'Holder ' || h,
        (ARRAY['zh-Hans', 'zh-Hant', 'es-PE', 'en'])[language + 1], 'America/Lima',
        '+519' || lpad(((h * 7 + 50000000) % 100000000)::text, 8, '0'),
        'holder' || h || '@example.com', CAST(:since AS timestamptz), CAST(:since AS timestamptz)
    FROM scale_cards(:first, :last) AS c
    ORDER BY h
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO cards (id, book_id, holder_id, kind, operator, msisdn, iccid, plan, plan_days,
        plan_end, last_topup, read_plan_end, read_last_topup, read_holder, read_holder_id, state,
        time_zone, note, watched_since, next_check_at, created_at, updated_at)
    SELECT n, book, h, (ARRAY['data', 'retention', '4g', 'esim'])[kind + 1],
        (ARRAY['claro', 'movistar', 'entel', 'bitel'])[operator + 1],
        '+519' || lpad((n % 100000000)::text, 8, '0'), '8951' || lpad(n::text, 15, '0'),
        '365 dias', :plan_days, CAST(:today AS date) + ahead::int,
        CAST(:today AS date) + ahead::int - :plan_days,
        CAST(:today AS date) + ahead::int, CAST(:today AS date) + ahead::int - :plan_days,
        md5('holder' || h), h,
        CASE WHEN n % 50 = 0 THEN 'closed' ELSE 'active' END, 'America/Lima',
        'shelf ' || n % 100,
        CAST(:since AS timestamptz), CASE WHEN n % 50 = 0 THEN NULL ELSE s.next_check_at END,
        CAST(:since AS timestamptz), CAST(:since AS timestamptz)
    FROM scale_cards(:first, :last) AS c
    JOIN scale_shapes AS s USING (kind, operator, language, ahead)
    ORDER BY n
    """,
    """
    INSERT INTO card_events (card_id, at, event, detail)
    SELECT n, CAST(:since AS timestamptz), 'imported', '{"fields": []}'
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """,
    """
    WITH told AS MATERIALIZED (
        SELECT nextval('messages_id_seq') AS message, gen_random_uuid() AS attempt, c.n, c.h,
            c.book, t.*, x.subject, x.body, x.segments,
            CASE t.channel WHEN 'sms' THEN 'SM' ELSE 'EM' END || md5(c.n || t.window_ || t.channel)
                AS provider_id,
            CASE t.channel WHEN 'sms' THEN 'twilio' ELSE 'sendgrid' END AS provider
        FROM scale_cards(:first, :last) AS c
        JOIN scale_told AS t USING (kind, operator, language, ahead)
        JOIN scale_texts AS x ON x.language = c.language AND x.channel = t.channel
        WHERE c.n % 50 <> 0
        ORDER BY t.due_at
    ), as_messages AS (
        INSERT INTO messages (id, book_id, holder_id, channel, state, next_attempt_at, useful_until,
            attempts, provider_id, subject, body, segments, created_at, sent_at, delivered_at)
        SELECT message, book, h, channel, 'delivered', due_at, useful_until, 1, provider_id,
            subject, body, segments, due_at, due_at + interval '20 seconds',
            due_at + interval '30 seconds'
        FROM told WHERE state = 'delivered'
    ), as_attempts AS (
        INSERT INTO attempts (id, message_id, address, digest, started_at, ended_at, outcome,
            provider_id, provider, sender)
        SELECT attempt, message,
            CASE channel WHEN 'sms' THEN '+519' || lpad(((h * 7 + 50000000) % 100000000)::text, 8,
                '0') ELSE 'holder' || h || '@example.com' END,
            md5(body) || md5(subject || body), due_at + interval '19 seconds',
            due_at + interval '20 seconds', 'accepted', provider_id, provider,
            CASE channel WHEN 'sms' THEN '+15005550006' ELSE 'reminders@example.com' END
        FROM told WHERE state = 'delivered'
    ), as_receipts AS (
        INSERT INTO receipts (provider, event_id, attempt_id, provider_id, status, received_at,
            applied_at, occurred_at)
        SELECT provider, provider_id || '/delivered', attempt, provider_id, 'delivered',
            due_at + interval '31 seconds', due_at + interval '31 seconds',
            due_at + interval '30 seconds'
        FROM told WHERE state = 'delivered'
    )
    INSERT INTO reminders (card_id, deadline, deadline_on, "window", channel, due_at, useful_until,
        state, reason, message_id, created_at, ended_at)
    SELECT n, deadline, deadline_on, window_, channel, due_at, useful_until, state, reason,
        CASE state WHEN 'delivered' THEN message END, due_at, due_at + interval '20 seconds'
    FROM told
    """,
)
