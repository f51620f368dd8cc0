package deadletters

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Org is an org's dead letters.
type Org struct {
	Name string
	Letters
}

// Orgs are the dead letters of several orgs; the function tells which there are.
// Each org numbers its own, so that whoever names letters by number, changes
// some or exports them must name the org.
type Orgs func() []Org

var _ Letters = (Orgs)(nil)

// the is the one org that is meant.
func (o Orgs) the(name string) (Org, error) {
	all := o()
	for _, org := range all {
		if org.Name == name || name == "" && len(all) == 1 {
			return org, nil
		}
	}
	if len(all) == 0 {
		return Org{}, fmt.Errorf("%w This daemon works on no org at the moment", ErrSelection)
	}
	if name == "" {
		return Org{}, fmt.Errorf("%w Name the org: there are %d, and each has letters of its own", ErrSelection, len(all))
	}
	return Org{}, fmt.Errorf("%w There is no org %q", ErrSelection, name)
}

// List lists those of the org that f names, or of all orgs, one after the other.
func (o Orgs) List(ctx context.Context, f Filter, each func(Shown) error) error {
	all := o()
	if f.Org != "" {
		org, err := o.the(f.Org)
		if err != nil {
			return err
		}
		all, f.Org = []Org{org}, "" // whatever the org was called when they were rejected
	}
	var damaged error
	for _, org := range all {
		err := org.Letters.List(ctx, f, func(d Shown) error {
			d.Org = org.Name
			return each(d)
		})
		if err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
		damaged = errors.Join(damaged, err)
	}
	return damaged
}

// Show returns one of the org's.
func (o Orgs) Show(ctx context.Context, org string, id uint64) (Shown, error) {
	one, err := o.the(org)
	if err != nil {
		return Shown{}, err
	}
	d, err := one.Letters.Show(ctx, "", id)
	d.Org = one.Name
	return d, err
}

// Export writes those of one org: an upload goes to one.
func (o Orgs) Export(ctx context.Context, f Filter, w io.Writer) error {
	one, err := o.the(f.Org)
	if err != nil {
		return err
	}
	f.Org = ""
	return one.Letters.Export(ctx, f, w)
}

// Change changes those of one org. Where nothing but the org is named, it is
// all of them.
func (o Orgs) Change(ctx context.Context, act Act, s Selection) (int, error) {
	if err := s.Check(); err != nil {
		return 0, err
	}
	one, err := o.the(s.Org)
	if err != nil {
		return 0, err
	}
	s.Org = ""
	s.All = len(s.IDs) == 0 && s.Filter == Filter{}
	return one.Letters.Change(ctx, act, s)
}
