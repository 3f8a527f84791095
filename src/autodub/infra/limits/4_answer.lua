-- Whoever is no member, or not any more, becomes one first: this memory may have been emptied.
local anybody = {join = true, leave = true, ready = true, sync = true, permits = true, state = true}
if not anybody[verb] and not is_alive(me) then return {'unknown'} end
return verbs[verb](unpack(ARGV, 3))
