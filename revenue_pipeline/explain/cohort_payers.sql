-- The members of a cohort who had a revenue event by the day of the cell, by the day of their first one.
SELECT
    CAST(min(event_date) AS VARCHAR) AS first_paid_on,
    user_id AS member,
    CAST(1 AS DECIMAL(38, 9)) AS value,
    sum(revenue) AS revenue
FROM explained.selected_revenue
GROUP BY user_id
