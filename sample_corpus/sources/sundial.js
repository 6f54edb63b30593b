// Sundial helper: hour lines and the correction to clock time.
// Angles are in degrees, times in minutes.

const RAD = Math.PI / 180;

// Approximate equation of time, good to about half a minute.
// Positive means that the sundial is ahead of the clock.
export function equationOfTime(dayOfYear) {
  const b = (360 / 365) * (dayOfYear - 81) * RAD;
  return 9.87 * Math.sin(2 * b) - 7.53 * Math.cos(b) - 1.5 * Math.sin(b);
}

// Angle between the noon line and an hour line on a horizontal dial:
// its tangent is the sine of the latitude times the tangent of the hour angle.
export function hourLineAngle(latitude, hoursFromNoon) {
  const hourAngle = 15 * hoursFromNoon * RAD;
  return Math.atan2(Math.sin(latitude * RAD) * Math.sin(hourAngle), Math.cos(hourAngle)) / RAD;
}

// Add the result to sundial time to get the time of the zone.
// East longitudes are positive; a dial east of the zone meridian is fast.
export function clockCorrection(longitude, zoneMeridian, dayOfYear) {
  const longitudeTerm = 4 * (zoneMeridian - longitude);
  return longitudeTerm - equationOfTime(dayOfYear);
}

// Declination of the sun, the angle that moves the shadow between the
// solstice curves; 23.44 degrees is the tilt of the axis of the Earth.
export function declination(dayOfYear) {
  return -23.44 * Math.cos((360 / 365) * (dayOfYear + 10) * RAD);
}
