package wire

// Request is one chat message of a client. Strings are as they were written,
// escapes not undone; a field that is absent is nil.
type Request struct {
	Type, Room, ID, Text []byte
}

// Decode reads payload into r, without allocation, and reports whether it is an
// object with a type. What r holds is valid as long as payload is.
func (r *Request) Decode(payload []byte) bool {
	*r = Request{}
	whole := Each(payload, func(key, value []byte) bool {
		switch string(key) {
		case "type":
			r.Type = Str(value)
		case "room":
			r.Room = Str(value)
		case "id":
			r.ID = Str(value)
		case "text":
			r.Text = Str(value)
		}
		return true
	})
	return whole && r.Type != nil
}
