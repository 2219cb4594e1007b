"""Land facts as reported: schema `raw`.

Belongs here: reading landing files, asking partners through `partners`, keeping amounts, batches and rejected rows.
Does not belong here: how a partner is asked (`partners`); any judgement of whether a number is right (`core`).
"""
