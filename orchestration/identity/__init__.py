"""Who is who: keys of identifiers, the components they join records into, and the ids of persons.

Set-based and pure: Arrow tables in, Arrow tables out. The models of `dbt_project` call it, over distinct new values.
Suppression reads an identifier wide, as every spelling that may mean the same mailbox or number; targeting reads it
narrow, as the one mailbox or number it certainly is, or not at all.
"""
