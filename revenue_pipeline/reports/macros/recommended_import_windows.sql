-- How long a partner's days should stay open, going by how soon they settled: the shortest import window after which no
-- more than a hundredth of the money still moved, at its end or later.
-- Ask: SELECT * FROM reports.recommended_import_windows().
-- Grain: one row per partner; ages that fewer than seven days tell of do not count, and a partner with no others has no
-- row. A window of n days asks for a day the last time when it is n - 1 days old. What moved between two imports is taken
-- as moving until the later one, so that a window may turn out longer than need be: more imports tell more.
-- Source: reports.settlement_curves.
WITH curves AS (
    SELECT curve.partner, curve.age_days, curve.report_dates, coalesce(curve.unsettled_share, 0) > 0.01 AS still_moves
    FROM reports.settlement_curves() AS curve
    WHERE curve.report_dates >= 7
),

moving AS (
    SELECT curves.partner, max(CASE WHEN curves.still_moves THEN curves.age_days ELSE -1 END) AS last_moving_age
    FROM curves
    GROUP BY curves.partner
)

SELECT
    CAST(curves.partner AS VARCHAR) AS partner, /* The partner. */
    CAST(max(curves.report_dates) AS BIGINT) AS report_dates, /* How many days its curve is drawn from. */
    CAST(
        min(CASE WHEN curves.age_days > moving.last_moving_age THEN curves.age_days END) + 1 AS BIGINT
    ) AS recommended_import_window_days /* The window; NULL where days still moved at the last age that is known. */
FROM curves
JOIN moving ON moving.partner = curves.partner
GROUP BY curves.partner
ORDER BY curves.partner
