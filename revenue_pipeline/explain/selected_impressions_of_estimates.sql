-- The impressions of the verified keys of a partner's app on a day: revenue is the SDK's estimate, NULL without one.
SELECT
    'ad_impression' AS revenue_event, events.event_date, events.report_date, events.partner, ledger.status,
    events.event_id, events.event_time, events.user_id, events.app_id, events.platform, events.country,
    events.ad_format, events.ad_unit_id, events.reporting_revenue AS revenue, events.revenue AS landed_revenue,
    CASE WHEN events.revenue IS NOT NULL THEN coalesce(events.currency, 'reporting currency') END AS currency
FROM raw.events AS events
JOIN settings.partners AS partners ON partners.partner = events.partner
JOIN core.reconciled_estimates AS ledger
    ON ledger.partner = events.partner AND ledger.report_date = events.report_date
    AND ledger.app_id IS NOT DISTINCT FROM CASE WHEN partners.has_app_id THEN events.app_id END
    AND ledger.platform IS NOT DISTINCT FROM CASE WHEN partners.has_platform THEN events.platform END
    AND ledger.country IS NOT DISTINCT FROM CASE WHEN partners.has_country THEN events.country END
    AND ledger.ad_format IS NOT DISTINCT FROM CASE WHEN partners.has_ad_format THEN events.ad_format END
    AND ledger.ad_unit_id IS NOT DISTINCT FROM CASE WHEN partners.has_ad_unit_id THEN events.ad_unit_id END
    AND ledger.user_id IS NOT DISTINCT FROM CASE WHEN partners.has_user_id THEN events.user_id END
WHERE
    events.event_name = 'ad_impression' AND events.partner = $partner AND events.report_date = $report_date
    AND events.event_date >= $report_date - 1 AND events.event_date < $report_date + 2
    AND ledger.report_date = $report_date AND ledger.status = 'verified'
    AND ledger.app_id IS NOT DISTINCT FROM $app_id
