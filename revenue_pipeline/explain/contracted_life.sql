-- What a line item is contracted for, by the deliveries of its whole life: what of it is in the cell, and what elsewhere.
SELECT
    CASE
        WHEN
            delivery_date IS NOT DISTINCT FROM $delivery_date AND ad_unit_id IS NOT DISTINCT FROM $ad_unit_id
            AND custom_criteria IS NOT DISTINCT FROM $custom_criteria
            THEN 'in this number'
        ELSE 'elsewhere'
    END AS share,
    coalesce(
        delivery_date || ', ' || ad_unit_id || ', ' || coalesce(custom_criteria, 'no key-value'),
        'nothing that counts was delivered'
    ) AS delivery,
    contracted_net_revenue AS value,
    contracted_gross_revenue,
    contracted_volume,
    impressions,
    clicks
FROM explained.rows_now
