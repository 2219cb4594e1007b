-- ROAS of each cohort: what it brought by day N for each unit of money that winning it cost; 0.577 is 57.7 %.
-- Grain: that of core.cohort_daily. NULL where the cohort has no cost, or a cost of 0. Over several cohorts divide the
-- sums, never average the ratios; cost is repeated on every start and revenue event and day: never add it over those.
-- Source: the revenue report document, "ROAS".
SELECT
    CAST(event_date AS DATE) AS event_date, /* Day in the reporting time zone. */
    CAST(cohort_date AS DATE) AS cohort_date, /* Day the members began. */
    CAST(start_event AS VARCHAR) AS start_event, /* What began it, such as `install`. */
    CAST(revenue_event AS VARCHAR) AS revenue_event, /* The event that brought money; `all` counts any. */
    CAST(app_id AS VARCHAR) AS app_id, /* The app or site the members began with. */
    CAST(platform AS VARCHAR) AS platform, /* Operating system or medium. */
    CAST(country AS VARCHAR) AS country, /* Country code. */
    CAST(channel AS VARCHAR) AS channel, /* Acquisition channel. */
    CAST(campaign_id AS VARCHAR) AS campaign_id, /* Acquisition campaign. */
    CAST(period AS BIGINT) AS period, /* Days since the start, which is day 0. */
    CAST(revenue AS DECIMAL(38, 9)) AS revenue, /* What the members brought on the day. */
    CAST(cumulative_revenue AS DECIMAL(38, 9)) AS cumulative_revenue, /* From day 0 through the day. */
    CAST(cost AS DECIMAL(38, 9)) AS cost, /* What winning the members cost; NULL where no cost row says any. */
    CAST(
        CAST(revenue AS DOUBLE) / nullif(CAST(cost AS DOUBLE), 0) AS DOUBLE
    ) AS roas, /* Revenue of the day for one unit of cost. */
    CAST(
        CAST(cumulative_revenue AS DOUBLE) / nullif(CAST(cost AS DOUBLE), 0) AS DOUBLE
    ) AS cumulative_roas, /* Revenue through the day for one unit of cost. */
    CAST(event_date >= $as_of AS BOOLEAN) AS is_partial /* Whether the day was not over when this was computed. */
FROM core.cohort_daily
WHERE event_date >= $start_date AND event_date < $end_date
